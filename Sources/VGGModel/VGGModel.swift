// VGGModel
