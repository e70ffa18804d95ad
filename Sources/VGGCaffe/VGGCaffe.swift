// VGGCaffe
