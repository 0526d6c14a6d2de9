#include "backends/base/trace.h"

_Thread_local struct trace_context trace_current;
