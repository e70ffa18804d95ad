// VGGVerify
