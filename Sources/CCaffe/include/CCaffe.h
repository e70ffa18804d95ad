// CCaffe
