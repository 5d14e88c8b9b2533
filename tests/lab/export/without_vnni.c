// Hides AVX-512, VNNI and AMX from the process that preloads it (LD_PRELOAD), on Linux x86-64.
//
// ONNX Runtime chooses its int8 kernels by CPUID. Those of CPUs without VNNI saturate, and every
// CPU that has VNNI can run them: it only must not say so. With CPUID faulting, which the kernel
// offers per thread and hands on to new threads, CPUID raises SIGSEGV; the handler answers in the
// CPU's stead, with some of its bits cleared.
//
// Exits with NOT_HERE where the CPU or the kernel has no CPUID faulting.
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define ARCH_SET_CPUID 0x1012
#define NOT_HERE 77
#define BIT(at) (1u << (at))

static struct sigaction before;

static long let_cpuid_run(long allowed) {
  return syscall(SYS_arch_prctl, ARCH_SET_CPUID, allowed);
}

static void answer(uint32_t leaf, uint32_t sub, uint32_t* a, uint32_t* b, uint32_t* c,
                   uint32_t* d) {
  let_cpuid_run(1);
  __asm__ volatile("cpuid" : "=a"(*a), "=b"(*b), "=c"(*c), "=d"(*d) : "a"(leaf), "c"(sub));
  let_cpuid_run(0);
  if (leaf == 7 && sub == 0) {
    // AVX512 F, DQ, IFMA, PF, ER, CD, BW, VL
    *b &= ~(BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) | BIT(30) | BIT(31));
    // AVX512 VBMI, VBMI2, VNNI, BITALG, VPOPCNTDQ
    *c &= ~(BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14));
    // AVX512 4VNNIW, 4FMAPS, VP2INTERSECT, FP16; AMX BF16, TILE, INT8
    *d &= ~(BIT(2) | BIT(3) | BIT(8) | BIT(22) | BIT(23) | BIT(24) | BIT(25));
  } else if (leaf == 7 && sub == 1) {
    *a &= ~(BIT(4) | BIT(5) | BIT(21) | BIT(23));  // AVX VNNI, AVX512 BF16, AMX FP16, AVX IFMA
    // AVX VNNI INT8, AVX NE CONVERT, AMX COMPLEX, AVX VNNI INT16, AVX10
    *d &= ~(BIT(4) | BIT(5) | BIT(8) | BIT(10) | BIT(19));
  } else if (leaf == 0x1d || leaf == 0x1e || leaf == 0x24) {  // AMX tiles, AMX TMUL, AVX10
    *a = *b = *c = *d = 0;
  }
}

static void on_fault(int signal, siginfo_t* info, void* context) {
  greg_t* r = ((ucontext_t*)context)->uc_mcontext.gregs;
  const uint8_t* code = (const uint8_t*)r[REG_RIP];
  (void)signal, (void)info;
  if (code[0] != 0x0f || code[1] != 0xa2) {  // not CPUID: a real fault, which happens again
    sigaction(SIGSEGV, &before, 0);
    return;
  }
  uint32_t a, b, c, d;
  answer(r[REG_RAX], r[REG_RCX], &a, &b, &c, &d);
  r[REG_RAX] = a, r[REG_RBX] = b, r[REG_RCX] = c, r[REG_RDX] = d;
  r[REG_RIP] += 2;
}

__attribute__((constructor)) static void start(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(SIGSEGV, &action, &before);
  if (let_cpuid_run(0) != 0) {
    perror("without_vnni: CPUID cannot be made to fault here");
    _exit(NOT_HERE);
  }
}
