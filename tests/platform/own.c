#include "own.h"

OwnCalls own_calls;
