;; The linear transform of blocks of pixels: integer products and sums, so that the result is that of transform.ts on every
;; machine. Assembled into analysis-module.ts by scripts/assemble-wasm.mjs.
;;
;;   memory   0 matrix [size, size] of 16-bit integers   131072 blocks [count, size], the same   163840 sums [count, size], 32 bits
;;
;; size is a multiple of 64 up to 256, count at most 64.
(module
  (memory (export "memory") 4)

  (func (export "analyse") (param $size i32) (param $count i32)
    (local $row i32) (local $block i32) (local $out i32) (local $left i32) (local $k i32) (local $i i32) (local $bytes i32)
    (local $w i32) (local $x v128) (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (local.set $bytes (i32.shl (local.get $size) (i32.const 1)))
    (local.set $block (i32.const 131072))
    (local.set $out (i32.const 163840))
    (local.set $left (local.get $count))
    (loop $blocks
      (local.set $row (i32.const 0))
      (local.set $k (local.get $size))
      (loop $rows
        (local.set $a (v128.const i32x4 0 0 0 0))
        (local.set $b (v128.const i32x4 0 0 0 0))
        (local.set $c (v128.const i32x4 0 0 0 0))
        (local.set $d (v128.const i32x4 0 0 0 0))
        (local.set $i (i32.const 0))
        (loop $products
          (local.set $x (v128.load (i32.add (local.get $block) (local.get $i))))
          (local.set $w (i32.add (local.get $row) (local.get $i)))
          (local.set $a (i32x4.add (local.get $a) (i32x4.dot_i16x8_s (local.get $x) (v128.load (local.get $w)))))
          (local.set $w (i32.add (local.get $w) (local.get $bytes)))
          (local.set $b (i32x4.add (local.get $b) (i32x4.dot_i16x8_s (local.get $x) (v128.load (local.get $w)))))
          (local.set $w (i32.add (local.get $w) (local.get $bytes)))
          (local.set $c (i32x4.add (local.get $c) (i32x4.dot_i16x8_s (local.get $x) (v128.load (local.get $w)))))
          (local.set $w (i32.add (local.get $w) (local.get $bytes)))
          (local.set $d (i32x4.add (local.get $d) (i32x4.dot_i16x8_s (local.get $x) (v128.load (local.get $w)))))
          (local.set $i (i32.add (local.get $i) (i32.const 16)))
          (br_if $products (i32.lt_u (local.get $i) (local.get $bytes))))
        ;; the four lanes of each sum become one: a0+a2 b0+b2 a1+a3 b1+b3, then pairs
        (local.set $a (i32x4.add
          (i8x16.shuffle 0 1 2 3 16 17 18 19 4 5 6 7 20 21 22 23 (local.get $a) (local.get $b))
          (i8x16.shuffle 8 9 10 11 24 25 26 27 12 13 14 15 28 29 30 31 (local.get $a) (local.get $b))))
        (local.set $c (i32x4.add
          (i8x16.shuffle 0 1 2 3 16 17 18 19 4 5 6 7 20 21 22 23 (local.get $c) (local.get $d))
          (i8x16.shuffle 8 9 10 11 24 25 26 27 12 13 14 15 28 29 30 31 (local.get $c) (local.get $d))))
        (v128.store (local.get $out) (i32x4.add
          (i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23 (local.get $a) (local.get $c))
          (i8x16.shuffle 8 9 10 11 12 13 14 15 24 25 26 27 28 29 30 31 (local.get $a) (local.get $c))))
        (local.set $out (i32.add (local.get $out) (i32.const 16)))
        (local.set $row (i32.add (local.get $row) (i32.shl (local.get $bytes) (i32.const 2))))
        (local.set $k (i32.sub (local.get $k) (i32.const 4)))
        (br_if $rows (local.get $k)))
      (local.set $block (i32.add (local.get $block) (local.get $bytes)))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $blocks (local.get $left)))))
