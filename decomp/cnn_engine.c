// cnn_engine.c -- networks on float, as they are trained and used
#include "cnn_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <omp.h>

#include <base/kernel.h>
#include <base/lin.h>
#include <emgtwin/array.h>

#define REAL float
#define NAME(name) emg_cnn_##name
#define GEMM emg_sgemm
#include "cnn_engine_body.h"
