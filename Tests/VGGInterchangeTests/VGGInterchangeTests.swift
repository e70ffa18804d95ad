// VGGInterchangeTests
