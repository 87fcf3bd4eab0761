/* What the files of the parent folder need of mbedTLS's own file of this name is in common.h. */
#include "common.h"
