// CVGGManifest
