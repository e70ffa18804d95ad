// VGGArchive
