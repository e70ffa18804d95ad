#include "CVGGKernels.h"
