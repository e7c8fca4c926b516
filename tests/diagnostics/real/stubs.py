"""Fake driver libraries in C: they answer what the variables FAKE_* say."""

CUDA = r"""
#include <stdlib.h>
#include <unistd.h>
static int number(const char *name, int fallback) {
  const char *text = getenv(name);
  return text ? atoi(text) : fallback;
}
int cuDriverGetVersion(int *version) { *version = number("FAKE_CUDA_DRIVER", 13020); return 0; }
int cuInit(unsigned flags) {
  (void)flags;
  if (number("FAKE_CUDA_HANG", 0)) sleep(1000);
  if (number("FAKE_CUDA_ABORT", 0)) abort();
  return number("FAKE_CUDA_INIT", 0);
}
int cuDeviceGetCount(int *count) { *count = number("FAKE_GPUS", 1); return 0; }
"""

NVML = r"""
#include <stdlib.h>
#include <string.h>
typedef struct { unsigned long long total, free, used; } memory_t;
typedef struct { unsigned pid; unsigned long long used; unsigned instance, compute; } process_t;
static int number(const char *name, int fallback) {
  const char *text = getenv(name);
  return text ? atoi(text) : fallback;
}
static int text(const char *name, const char *fallback, char *buffer) {
  const char *found = getenv(name);
  strcpy(buffer, found ? found : fallback);
  return 0;
}
int nvmlInit_v2(void) { return number("FAKE_NVML_INIT", 0); }
int nvmlSystemGetDriverVersion(char *buffer, unsigned length) {
  (void)length; return text("FAKE_DRIVER", "595.10.02", buffer);
}
int nvmlSystemGetCudaDriverVersion_v2(int *version) {
  *version = number("FAKE_CUDA_DRIVER", 13020); return 0;
}
int nvmlDeviceGetCount_v2(unsigned *count) { *count = number("FAKE_GPUS", 1); return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
  *handle = (void *)(long)(index + 1); return 0;
}
int nvmlDeviceGetName(void *device, char *buffer, unsigned length) {
  (void)device; (void)length; return text("FAKE_NAME", "NVIDIA Fake 1000", buffer);
}
int nvmlDeviceGetUUID(void *device, char *buffer, unsigned length) {
  (void)device; (void)length; strcpy(buffer, "GPU-00000000-1111-2222-3333-444444444444"); return 0;
}
int nvmlDeviceGetMemoryInfo(void *device, memory_t *memory) {
  (void)device;
  memory->total = 16ull << 30;
  memory->free = (unsigned long long)number("FAKE_FREE_MIB", 16000) << 20;
  memory->used = memory->total - memory->free;
  return 0;
}
int nvmlDeviceGetCudaComputeCapability(void *device, int *major, int *minor) {
  int found = number("FAKE_CC", 90);
  (void)device; *major = found / 10; *minor = found % 10; return 0;
}
int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count, process_t *found) {
  (void)device; *count = number("FAKE_PROCESSES", 0);
  if (*count) { found[0].pid = 4242; found[0].used = 15ull << 30; }
  return 0;
}
int nvmlDeviceGetCurrentClocksThrottleReasons(void *device, unsigned long long *reasons) {
  (void)device; *reasons = number("FAKE_THROTTLE", 0); return 0;
}
int nvmlDeviceGetPersistenceMode(void *device, unsigned *mode) { (void)device; *mode = 1; return 0; }
"""
