// VGGHDF5Tests
