/* The rules are functions of headers; this file is there to be compiled. */
#include "CVGGRules.h"
