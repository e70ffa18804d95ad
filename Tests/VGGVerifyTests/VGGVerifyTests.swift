// VGGVerifyTests
