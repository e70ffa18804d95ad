// VGGEngine
