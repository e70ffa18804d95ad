// VGGCaffeTests
