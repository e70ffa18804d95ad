// VGGEngineTests
