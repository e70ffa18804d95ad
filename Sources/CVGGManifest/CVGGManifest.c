#include "CVGGManifest.h"
