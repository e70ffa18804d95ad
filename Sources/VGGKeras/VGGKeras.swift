// VGGKeras
