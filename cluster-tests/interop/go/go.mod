module kintsugi/interop

go 1.21
