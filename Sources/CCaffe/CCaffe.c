#include "CCaffe.h"
