// VGGInterchange
