// VGGCompressTests
