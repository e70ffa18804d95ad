// VGGFileTests
