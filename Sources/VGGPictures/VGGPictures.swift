// VGGPictures
