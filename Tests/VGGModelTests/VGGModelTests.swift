// VGGModelTests
