// VGGFile
