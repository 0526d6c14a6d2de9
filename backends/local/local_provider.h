#pragma once
/*
 * Purpose: the row of the directory store in the table of providers.
 */
#include "backends/providers.h"

extern const struct provider provider_local;
