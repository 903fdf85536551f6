#!/bin/sh
# Tries Hourglass on this machine's GPU and writes gpu.md into the current folder. Linux on x64 with glibc 2.28 or newer; needs no
# network, no Node and nothing installed but the GPU's driver. Takes at most 8 minutes.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)

has_library() {
  { ldconfig -p || /sbin/ldconfig -p; } 2>/dev/null | grep -q "$1" && return 0
  for folder in /usr/lib/x86_64-linux-gnu /usr/lib64 /usr/lib /usr/local/lib $(echo "${LD_LIBRARY_PATH:-}" | tr ':' ' '); do
    [ -e "$folder/$1" ] && return 0
  done
  return 1
}

found=''
note() {
  found="$found$1
"
}

if has_library libvulkan.so.1; then
  note "Vulkan loader: the system's"
elif [ -e "$here/lib/libvulkan.so.1" ]; then
  LD_LIBRARY_PATH="$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
  export LD_LIBRARY_PATH
  note "Vulkan loader: the pack's"
else
  note 'Vulkan loader: none'
fi

drivers=$(ls /usr/share/vulkan/icd.d/*.json /etc/vulkan/icd.d/*.json 2>/dev/null | tr '\n' ' ' || true)
if [ -n "${VK_ICD_FILENAMES:-}${VK_DRIVER_FILES:-}" ]; then
  note "Vulkan driver, as the environment says: ${VK_ICD_FILENAMES:-}${VK_DRIVER_FILES:-}"
elif [ -n "$drivers" ]; then
  note "Vulkan drivers: $drivers"
elif has_library libGLX_nvidia.so.0; then
  # Containers often have NVIDIA's library without the file that names it.
  icd=$(mktemp)
  printf '{"file_format_version":"1.0.0","ICD":{"library_path":"libGLX_nvidia.so.0","api_version":"1.3.0"}}\n' > "$icd"
  VK_ICD_FILENAMES=$icd
  export VK_ICD_FILENAMES
  note "Vulkan driver: NVIDIA's library, which no file named"
else
  note 'Vulkan drivers: none'
fi

case "${VK_ICD_FILENAMES:-}${VK_DRIVER_FILES:-}${drivers:-}" in
  *swiftshader*) note 'SOFTWARE, no GPU: SwiftShader computes on the CPU. What follows shows that everything works; its times say nothing about a GPU' ;;
  /usr/share/vulkan/icd.d/lvp_icd*.json\ ) note "SOFTWARE, no GPU: Mesa's llvmpipe computes on the CPU" ;;
esac

if has_library libcuda.so.1; then
  note 'CUDA driver: there. The CUDA provider of ONNX Runtime is too large for this pack: only WebGPU is tried'
else
  note 'CUDA driver: none'
fi

GPU_PACK_FOUND=$found
export GPU_PACK_FOUND
exec "$here/node" "$here/app/gpu/check.js"
