"""What the wheel of each torch release requires, as its metadata say.

Source: the `Requires-Dist` lines of the Linux wheels on the Python package index, without extras and
without requirements that take any version. They hold for the variant that the index serves
(`Release.default`); the wheels of other variants pin other libraries.
"""

from __future__ import annotations

DATED = "2026-11-29"

_ROWS: tuple[tuple[str, str], ...] = (
    (
        "1.13.0 1.13.1",
        "nvidia-cuda-runtime-cu11==11.7.99 | nvidia-cudnn-cu11==8.5.0.96 | "
        "nvidia-cublas-cu11==11.10.3.66 | nvidia-cuda-nvrtc-cu11==11.7.99",
    ),
    (
        "2.0.0 2.0.1",
        "nvidia-cuda-nvrtc-cu11==11.7.99 | nvidia-cuda-runtime-cu11==11.7.99 | "
        "nvidia-cuda-cupti-cu11==11.7.101 | nvidia-cudnn-cu11==8.5.0.96 | "
        "nvidia-cublas-cu11==11.10.3.66 | nvidia-cufft-cu11==10.9.0.58 | "
        "nvidia-curand-cu11==10.2.10.91 | nvidia-cusolver-cu11==11.4.0.1 | "
        "nvidia-cusparse-cu11==11.7.4.91 | nvidia-nccl-cu11==2.14.3 | "
        "nvidia-nvtx-cu11==11.7.91 | triton==2.0.0",
    ),
    (
        "2.1.0 2.1.1 2.1.2",
        "nvidia-cuda-nvrtc-cu12==12.1.105 | nvidia-cuda-runtime-cu12==12.1.105 | "
        "nvidia-cuda-cupti-cu12==12.1.105 | nvidia-cudnn-cu12==8.9.2.26 | "
        "nvidia-cublas-cu12==12.1.3.1 | nvidia-cufft-cu12==11.0.2.54 | "
        "nvidia-curand-cu12==10.3.2.106 | nvidia-cusolver-cu12==11.4.5.107 | "
        "nvidia-cusparse-cu12==12.1.0.106 | nvidia-nccl-cu12==2.18.1 | "
        "nvidia-nvtx-cu12==12.1.105 | triton==2.1.0",
    ),
    (
        "2.2.0",
        "typing-extensions>=4.8.0 | nvidia-cuda-nvrtc-cu12==12.1.105 | "
        "nvidia-cuda-runtime-cu12==12.1.105 | nvidia-cuda-cupti-cu12==12.1.105 | "
        "nvidia-cudnn-cu12==8.9.2.26 | nvidia-cublas-cu12==12.1.3.1 | "
        "nvidia-cufft-cu12==11.0.2.54 | nvidia-curand-cu12==10.3.2.106 | "
        "nvidia-cusolver-cu12==11.4.5.107 | nvidia-cusparse-cu12==12.1.0.106 | "
        "nvidia-nccl-cu12==2.19.3 | nvidia-nvtx-cu12==12.1.105 | triton==2.2.0",
    ),
    (
        "2.2.1 2.2.2",
        "typing-extensions>=4.8.0 | nvidia-cuda-nvrtc-cu12==12.1.105 | "
        "nvidia-cuda-runtime-cu12==12.1.105 | nvidia-cuda-cupti-cu12==12.1.105 | "
        "nvidia-cudnn-cu12==8.9.2.26 | nvidia-cublas-cu12==12.1.3.1 | "
        "nvidia-cufft-cu12==11.0.2.54 | nvidia-curand-cu12==10.3.2.106 | "
        "nvidia-cusolver-cu12==11.4.5.107 | nvidia-cusparse-cu12==12.1.0.106 | "
        "nvidia-nccl-cu12==2.19.3 | nvidia-nvtx-cu12==12.1.105 | "
        "triton==2.2.0; python_version < '3.12'",
    ),
    (
        "2.3.0",
        "typing-extensions>=4.8.0 | nvidia-cuda-nvrtc-cu12==12.1.105 | "
        "nvidia-cuda-runtime-cu12==12.1.105 | nvidia-cuda-cupti-cu12==12.1.105 | "
        "nvidia-cudnn-cu12==8.9.2.26 | nvidia-cublas-cu12==12.1.3.1 | "
        "nvidia-cufft-cu12==11.0.2.54 | nvidia-curand-cu12==10.3.2.106 | "
        "nvidia-cusolver-cu12==11.4.5.107 | nvidia-cusparse-cu12==12.1.0.106 | "
        "nvidia-nccl-cu12==2.20.5 | nvidia-nvtx-cu12==12.1.105 | "
        "triton==2.3.0; python_version < '3.12' | mkl<=2021.4.0,>=2021.1.1",
    ),
    (
        "2.3.1",
        "typing-extensions>=4.8.0 | nvidia-cuda-nvrtc-cu12==12.1.105 | "
        "nvidia-cuda-runtime-cu12==12.1.105 | nvidia-cuda-cupti-cu12==12.1.105 | "
        "nvidia-cudnn-cu12==8.9.2.26 | nvidia-cublas-cu12==12.1.3.1 | "
        "nvidia-cufft-cu12==11.0.2.54 | nvidia-curand-cu12==10.3.2.106 | "
        "nvidia-cusolver-cu12==11.4.5.107 | nvidia-cusparse-cu12==12.1.0.106 | "
        "nvidia-nccl-cu12==2.20.5 | nvidia-nvtx-cu12==12.1.105 | "
        "triton==2.3.1; python_version < '3.12' | mkl<=2021.4.0,>=2021.1.1",
    ),
    (
        "2.4.0 2.4.1",
        "typing-extensions>=4.8.0 | nvidia-cuda-nvrtc-cu12==12.1.105 | "
        "nvidia-cuda-runtime-cu12==12.1.105 | nvidia-cuda-cupti-cu12==12.1.105 | "
        "nvidia-cudnn-cu12==9.1.0.70 | nvidia-cublas-cu12==12.1.3.1 | "
        "nvidia-cufft-cu12==11.0.2.54 | nvidia-curand-cu12==10.3.2.106 | "
        "nvidia-cusolver-cu12==11.4.5.107 | nvidia-cusparse-cu12==12.1.0.106 | "
        "nvidia-nccl-cu12==2.20.5 | nvidia-nvtx-cu12==12.1.105 | "
        "triton==3.0.0; python_version < '3.13'",
    ),
    (
        "2.5.0 2.5.1",
        "typing-extensions>=4.8.0 | nvidia-cuda-nvrtc-cu12==12.4.127 | "
        "nvidia-cuda-runtime-cu12==12.4.127 | nvidia-cuda-cupti-cu12==12.4.127 | "
        "nvidia-cudnn-cu12==9.1.0.70 | nvidia-cublas-cu12==12.4.5.8 | "
        "nvidia-cufft-cu12==11.2.1.3 | nvidia-curand-cu12==10.3.5.147 | "
        "nvidia-cusolver-cu12==11.6.1.9 | nvidia-cusparse-cu12==12.3.1.170 | "
        "nvidia-nccl-cu12==2.21.5 | nvidia-nvtx-cu12==12.4.127 | "
        "nvidia-nvjitlink-cu12==12.4.127 | triton==3.1.0; python_version < '3.13' | "
        "sympy==1.12.1; python_version == '3.8' | sympy==1.13.1; python_version >= '3.9'",
    ),
    (
        "2.6.0",
        "typing-extensions>=4.10.0 | nvidia-cuda-nvrtc-cu12==12.4.127 | "
        "nvidia-cuda-runtime-cu12==12.4.127 | nvidia-cuda-cupti-cu12==12.4.127 | "
        "nvidia-cudnn-cu12==9.1.0.70 | nvidia-cublas-cu12==12.4.5.8 | "
        "nvidia-cufft-cu12==11.2.1.3 | nvidia-curand-cu12==10.3.5.147 | "
        "nvidia-cusolver-cu12==11.6.1.9 | nvidia-cusparse-cu12==12.3.1.170 | "
        "nvidia-cusparselt-cu12==0.6.2 | nvidia-nccl-cu12==2.21.5 | "
        "nvidia-nvtx-cu12==12.4.127 | nvidia-nvjitlink-cu12==12.4.127 | triton==3.2.0 | "
        "sympy==1.13.1; python_version >= '3.9'",
    ),
    (
        "2.7.0",
        "typing-extensions>=4.10.0 | sympy>=1.13.3 | nvidia-cuda-nvrtc-cu12==12.6.77 | "
        "nvidia-cuda-runtime-cu12==12.6.77 | nvidia-cuda-cupti-cu12==12.6.80 | "
        "nvidia-cudnn-cu12==9.5.1.17 | nvidia-cublas-cu12==12.6.4.1 | "
        "nvidia-cufft-cu12==11.3.0.4 | nvidia-curand-cu12==10.3.7.77 | "
        "nvidia-cusolver-cu12==11.7.1.2 | nvidia-cusparse-cu12==12.5.4.2 | "
        "nvidia-cusparselt-cu12==0.6.3 | nvidia-nccl-cu12==2.26.2 | "
        "nvidia-nvtx-cu12==12.6.77 | nvidia-nvjitlink-cu12==12.6.85 | "
        "nvidia-cufile-cu12==1.11.1.6 | triton==3.3.0",
    ),
    (
        "2.7.1",
        "typing-extensions>=4.10.0 | sympy>=1.13.3 | nvidia-cuda-nvrtc-cu12==12.6.77 | "
        "nvidia-cuda-runtime-cu12==12.6.77 | nvidia-cuda-cupti-cu12==12.6.80 | "
        "nvidia-cudnn-cu12==9.5.1.17 | nvidia-cublas-cu12==12.6.4.1 | "
        "nvidia-cufft-cu12==11.3.0.4 | nvidia-curand-cu12==10.3.7.77 | "
        "nvidia-cusolver-cu12==11.7.1.2 | nvidia-cusparse-cu12==12.5.4.2 | "
        "nvidia-cusparselt-cu12==0.6.3 | nvidia-nccl-cu12==2.26.2 | "
        "nvidia-nvtx-cu12==12.6.77 | nvidia-nvjitlink-cu12==12.6.85 | "
        "nvidia-cufile-cu12==1.11.1.6 | triton==3.3.1",
    ),
    (
        "2.8.0",
        "typing-extensions>=4.10.0 | sympy>=1.13.3 | nvidia-cuda-nvrtc-cu12==12.8.93 | "
        "nvidia-cuda-runtime-cu12==12.8.90 | nvidia-cuda-cupti-cu12==12.8.90 | "
        "nvidia-cudnn-cu12==9.10.2.21 | nvidia-cublas-cu12==12.8.4.1 | "
        "nvidia-cufft-cu12==11.3.3.83 | nvidia-curand-cu12==10.3.9.90 | "
        "nvidia-cusolver-cu12==11.7.3.90 | nvidia-cusparse-cu12==12.5.8.93 | "
        "nvidia-cusparselt-cu12==0.7.1 | nvidia-nccl-cu12==2.27.3 | "
        "nvidia-nvtx-cu12==12.8.90 | nvidia-nvjitlink-cu12==12.8.93 | "
        "nvidia-cufile-cu12==1.13.1.3 | triton==3.4.0",
    ),
    (
        "2.9.0",
        "typing-extensions>=4.10.0 | sympy>=1.13.3 | networkx>=2.5.1 | fsspec>=0.8.5 | "
        "nvidia-cuda-nvrtc-cu12==12.8.93 | nvidia-cuda-runtime-cu12==12.8.90 | "
        "nvidia-cuda-cupti-cu12==12.8.90 | nvidia-cudnn-cu12==9.10.2.21 | "
        "nvidia-cublas-cu12==12.8.4.1 | nvidia-cufft-cu12==11.3.3.83 | "
        "nvidia-curand-cu12==10.3.9.90 | nvidia-cusolver-cu12==11.7.3.90 | "
        "nvidia-cusparse-cu12==12.5.8.93 | nvidia-cusparselt-cu12==0.7.1 | "
        "nvidia-nccl-cu12==2.27.5 | nvidia-nvshmem-cu12==3.3.20 | "
        "nvidia-nvtx-cu12==12.8.90 | nvidia-nvjitlink-cu12==12.8.93 | "
        "nvidia-cufile-cu12==1.13.1.3 | triton==3.5.0",
    ),
    (
        "2.9.1",
        "typing-extensions>=4.10.0 | sympy>=1.13.3 | networkx>=2.5.1 | fsspec>=0.8.5 | "
        "nvidia-cuda-nvrtc-cu12==12.8.93 | nvidia-cuda-runtime-cu12==12.8.90 | "
        "nvidia-cuda-cupti-cu12==12.8.90 | nvidia-cudnn-cu12==9.10.2.21 | "
        "nvidia-cublas-cu12==12.8.4.1 | nvidia-cufft-cu12==11.3.3.83 | "
        "nvidia-curand-cu12==10.3.9.90 | nvidia-cusolver-cu12==11.7.3.90 | "
        "nvidia-cusparse-cu12==12.5.8.93 | nvidia-cusparselt-cu12==0.7.1 | "
        "nvidia-nccl-cu12==2.27.5 | nvidia-nvshmem-cu12==3.3.20 | "
        "nvidia-nvtx-cu12==12.8.90 | nvidia-nvjitlink-cu12==12.8.93 | "
        "nvidia-cufile-cu12==1.13.1.3 | triton==3.5.1",
    ),
    (
        "2.10.0",
        "typing-extensions>=4.10.0 | sympy>=1.13.3 | networkx>=2.5.1 | fsspec>=0.8.5 | "
        "cuda-bindings==12.9.4 | nvidia-cuda-nvrtc-cu12==12.8.93 | "
        "nvidia-cuda-runtime-cu12==12.8.90 | nvidia-cuda-cupti-cu12==12.8.90 | "
        "nvidia-cudnn-cu12==9.10.2.21 | nvidia-cublas-cu12==12.8.4.1 | "
        "nvidia-cufft-cu12==11.3.3.83 | nvidia-curand-cu12==10.3.9.90 | "
        "nvidia-cusolver-cu12==11.7.3.90 | nvidia-cusparse-cu12==12.5.8.93 | "
        "nvidia-cusparselt-cu12==0.7.1 | nvidia-nccl-cu12==2.27.5 | "
        "nvidia-nvshmem-cu12==3.4.5 | nvidia-nvtx-cu12==12.8.90 | "
        "nvidia-nvjitlink-cu12==12.8.93 | nvidia-cufile-cu12==1.13.1.3 | triton==3.6.0",
    ),
    (
        "2.11.0",
        "typing-extensions>=4.10.0 | setuptools<82 | sympy>=1.13.3 | networkx>=2.5.1 | "
        "fsspec>=0.8.5 | cuda-toolkit==13.0.2 | cuda-bindings<14,>=13.0.3 | "
        "nvidia-cudnn-cu13==9.19.0.56 | nvidia-cusparselt-cu13==0.8.0 | "
        "nvidia-nccl-cu13==2.28.9 | nvidia-nvshmem-cu13==3.4.5 | triton==3.6.0",
    ),
    (
        "2.12.0",
        "typing-extensions>=4.10.0 | setuptools<82 | sympy>=1.13.3 | networkx>=2.5.1 | "
        "fsspec>=0.8.5 | cuda-toolkit==13.0.2 | nvidia-cublas<=13.1.1.3,>=13.1.0.3 | "
        "cuda-bindings<14,>=13.0.3 | nvidia-cudnn-cu13==9.20.0.48 | "
        "nvidia-cusparselt-cu13==0.8.1 | nvidia-nccl-cu13==2.29.7 | "
        "nvidia-nvshmem-cu13==3.4.5 | triton==3.7.0",
    ),
    (
        "2.12.1",
        "typing-extensions>=4.10.0 | setuptools<82 | sympy>=1.13.3 | networkx>=2.5.1 | "
        "fsspec>=0.8.5 | cuda-toolkit==13.0.2 | nvidia-cublas<=13.1.1.3,>=13.1.0.3 | "
        "cuda-bindings<14,>=13.0.3 | nvidia-cudnn-cu13==9.20.0.48 | "
        "nvidia-cusparselt-cu13==0.8.1 | nvidia-nccl-cu13==2.29.7 | "
        "nvidia-nvshmem-cu13==3.4.5 | triton==3.7.1",
    ),
    (
        "2.13.0",
        "typing-extensions>=4.10.0 | setuptools>=77.0.3 | sympy>=1.13.3 | "
        "networkx>=2.5.1 | fsspec>=0.8.5 | cuda-toolkit==13.0.3 | "
        "cuda-bindings<14,>=13.0.3; python_version < '3.15' | "
        "nvidia-cudnn-cu13==9.20.0.48 | nvidia-cusparselt-cu13==0.8.1 | "
        "nvidia-nccl-cu13==2.29.7 | nvidia-nvshmem-cu13==3.4.5 | "
        "triton==3.7.1; python_version < '3.15'",
    ),
    (
        "2.14.0 2.14.1",
        "typing-extensions>=4.10.0 | setuptools>=77.0.3 | sympy>=1.13.3 | networkx>=2.5.1 | "
        "fsspec>=0.8.5 | cuda-toolkit==13.0.3 | "
        "cuda-bindings<14,>=13.0.3; python_version < '3.15' | nvidia-cudnn-cu13==9.24.0.43 | "
        "nvidia-cusparselt-cu13==0.8.1 | nvidia-nccl-cu13==2.30.7 | "
        "nvidia-nvshmem-cu13==3.4.5 | triton~=3.8.0; python_version < '3.15'",
    ),
    (
        "2.15.0",
        "typing-extensions>=4.13.0 | setuptools>=77.0.3 | sympy>=1.13.3 | networkx>=2.5.1 | "
        "fsspec>=0.8.5 | cuda-toolkit==13.2.2 | "
        "cuda-bindings<14,>=13.0.3; python_version < '3.15' | nvidia-cudnn-cu13==9.26.0.51 | "
        "nvidia-cusparselt-cu13==0.8.1 | nvidia-nccl-cu13==2.30.7 | "
        "nvidia-nvshmem-cu13==3.7.2 | triton~=3.9.0; python_version < '3.16'",
    ),
)
"""(releases, requirements separated by `|`), oldest first."""

REQUIREMENTS: dict[str, tuple[str, ...]] = {
    release: tuple(part.strip() for part in lines.split("|"))
    for releases, lines in _ROWS
    for release in releases.split()
}
"""torch release -> requirement lines such as `nvidia-cudnn-cu12==9.1.0.70`."""
