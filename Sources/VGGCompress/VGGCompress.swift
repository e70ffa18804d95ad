// VGGCompress
