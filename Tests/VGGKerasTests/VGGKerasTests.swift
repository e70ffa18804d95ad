// VGGKerasTests
