// CVGGKernels
