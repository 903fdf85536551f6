;; xoshiro128++ (Blackman & Vigna, "Scrambled linear pseudorandom number generators", 2021) in four SIMD lanes, and the
;; float32 distributions made from its words. WebAssembly arithmetic is IEEE 754 without contraction or reordering, so every
;; machine and every engine gives the same bits. Assembled into random-module.ts by scripts/assemble-wasm.mjs.
;;
;;   memory   0 state: word k of lanes 0..3 at 16k   64 buffer: [64, end), end - 64 a multiple of 32
;;
;; `words` fills the buffer; each distribution then replaces the words in place.
(module
  (memory (export "memory") 1)

  ;; raw 32-bit words, one of each lane in turn
  (func (export "words") (param $end i32)
    (local $p i32) (local $a v128) (local $b v128) (local $c v128) (local $d v128) (local $t v128)
    (local.set $a (v128.load (i32.const 0)))
    (local.set $b (v128.load (i32.const 16)))
    (local.set $c (v128.load (i32.const 32)))
    (local.set $d (v128.load (i32.const 48)))
    (local.set $p (i32.const 64))
    (loop $more
      ;; rotl(a + d, 7) + a
      (local.set $t (i32x4.add (local.get $a) (local.get $d)))
      (v128.store (local.get $p)
        (i32x4.add
          (v128.or (i32x4.shl (local.get $t) (i32.const 7)) (i32x4.shr_u (local.get $t) (i32.const 25)))
          (local.get $a)))
      (local.set $t (i32x4.shl (local.get $b) (i32.const 9)))
      (local.set $c (v128.xor (local.get $c) (local.get $a)))
      (local.set $d (v128.xor (local.get $d) (local.get $b)))
      (local.set $b (v128.xor (local.get $b) (local.get $c)))
      (local.set $a (v128.xor (local.get $a) (local.get $d)))
      (local.set $c (v128.xor (local.get $c) (local.get $t)))
      (local.set $d
        (v128.or (i32x4.shl (local.get $d) (i32.const 11)) (i32x4.shr_u (local.get $d) (i32.const 21))))
      (local.set $p (i32.add (local.get $p) (i32.const 16)))
      (br_if $more (i32.lt_u (local.get $p) (local.get $end))))
    (v128.store (i32.const 0) (local.get $a))
    (v128.store (i32.const 16) (local.get $b))
    (v128.store (i32.const 32) (local.get $c))
    (v128.store (i32.const 48) (local.get $d)))

  ;; low + (high - low) · u, u a multiple of 2^-24 in [0, 1)
  (func (export "uniform") (param $end i32) (param $low f32) (param $high f32)
    (local $p i32) (local $offset v128) (local $scale v128)
    (local.set $offset (f32x4.splat (local.get $low)))
    (local.set $scale
      (f32x4.splat (f32.mul (f32.sub (local.get $high) (local.get $low)) (f32.const 0x1p-24))))
    (local.set $p (i32.const 64))
    (loop $more
      (v128.store (local.get $p)
        (f32x4.add (local.get $offset)
          (f32x4.mul (f32x4.convert_i32x4_s (i32x4.shr_u (v128.load (local.get $p)) (i32.const 8))) (local.get $scale))))
      (local.set $p (i32.add (local.get $p) (i32.const 16)))
      (br_if $more (i32.lt_u (local.get $p) (local.get $end)))))

  ;; 1 where a 30-bit integer is below the threshold, else 0
  (func (export "bernoulli") (param $end i32) (param $threshold i32)
    (local $p i32) (local $limit v128)
    (local.set $limit (i32x4.splat (local.get $threshold)))
    (local.set $p (i32.const 64))
    (loop $more
      (v128.store (local.get $p)
        (v128.and
          (i32x4.lt_s (i32x4.shr_u (v128.load (local.get $p)) (i32.const 2)) (local.get $limit))
          (f32x4.splat (f32.const 1))))
      (local.set $p (i32.add (local.get $p) (i32.const 16)))
      (br_if $more (i32.lt_u (local.get $p) (local.get $end)))))

  ;; mean + deviation · z: Box & Muller (1958), z = √(−2 ln u) · (cos θ, sin θ), four pairs a turn
  (func (export "normal") (param $end i32) (param $mean f32) (param $deviation f32)
    (local $p i32) (local $mu v128) (local $sigma v128)
    (local $w v128) (local $m v128) (local $e v128) (local $f v128) (local $z v128)
    (local $radius v128) (local $sin v128) (local $cos v128) (local $swap v128)
    (local.set $mu (f32x4.splat (local.get $mean)))
    (local.set $sigma (f32x4.splat (local.get $deviation)))
    (local.set $p (i32.const 64))
    (loop $more
      ;; u = k · 2^-31 with odd k, as m · 2^e with m in [√½, √2): the bits of √½ subtracted leave e in the exponent field
      (local.set $w
        (f32x4.convert_i32x4_s (v128.or (i32x4.shr_u (v128.load (local.get $p)) (i32.const 1)) (i32x4.splat (i32.const 1)))))
      (local.set $e
        (v128.and
          (i32x4.sub (local.get $w) (i32x4.splat (i32.const 0x3f3504f3)))
          (i32x4.splat (i32.const 0xff800000))))
      (local.set $m (i32x4.sub (local.get $w) (local.get $e)))
      ;; ln m = 2 artanh f, f = (m − 1) / (m + 1), |f| ≤ .1716: four terms of the series leave 8e-8 of it
      (local.set $f
        (f32x4.div
          (f32x4.sub (local.get $m) (f32x4.splat (f32.const 1)))
          (f32x4.add (local.get $m) (f32x4.splat (f32.const 1)))))
      (local.set $z (f32x4.mul (local.get $f) (local.get $f)))
      ;; −2 ln u = (31 − e) · 2 ln 2 − 4 f (1 + z/3 + z²/5 + z³/7)
      (local.set $radius
        (f32x4.sqrt
          (f32x4.sub
            (f32x4.mul
              (f32x4.convert_i32x4_s
                (i32x4.sub (i32x4.splat (i32.const 31)) (i32x4.shr_s (local.get $e) (i32.const 23))))
              (f32x4.splat (f32.const 1.3862943611198906)))
            (f32x4.mul
              (f32x4.mul (local.get $f) (f32x4.splat (f32.const 4)))
              (f32x4.add (f32x4.splat (f32.const 1))
                (f32x4.mul (local.get $z)
                  (f32x4.add (f32x4.splat (f32.const 0.3333333333333333))
                    (f32x4.mul (local.get $z)
                      (f32x4.add (f32x4.splat (f32.const 0.2))
                        (f32x4.mul (local.get $z) (f32x4.splat (f32.const 0.14285714285714285))))))))))))
      (local.set $radius (f32x4.mul (local.get $radius) (local.get $sigma)))
      ;; θ in [0, π/4) from the low 24 bits; the top three bits choose the octant: swap, sign, sign
      (local.set $w (v128.load offset=16 (local.get $p)))
      (local.set $f
        (f32x4.mul
          (f32x4.convert_i32x4_s (v128.and (local.get $w) (i32x4.splat (i32.const 0x00ffffff))))
          (f32x4.splat (f32.const 4.6813366e-8))))
      (local.set $z (f32x4.mul (local.get $f) (local.get $f)))
      ;; minimax polynomials of sinf and cosf on [0, π/4] (Moshier, Cephes)
      (local.set $sin
        (f32x4.add (local.get $f)
          (f32x4.mul (f32x4.mul (local.get $f) (local.get $z))
            (f32x4.add (f32x4.splat (f32.const -1.6666654611e-1))
              (f32x4.mul (local.get $z)
                (f32x4.add (f32x4.splat (f32.const 8.3321608736e-3))
                  (f32x4.mul (local.get $z) (f32x4.splat (f32.const -1.9515295891e-4)))))))))
      (local.set $cos
        (f32x4.add
          (f32x4.sub (f32x4.splat (f32.const 1)) (f32x4.mul (local.get $z) (f32x4.splat (f32.const 0.5))))
          (f32x4.mul (f32x4.mul (local.get $z) (local.get $z))
            (f32x4.add (f32x4.splat (f32.const 4.166664568298827e-2))
              (f32x4.mul (local.get $z)
                (f32x4.add (f32x4.splat (f32.const -1.388731625493765e-3))
                  (f32x4.mul (local.get $z) (f32x4.splat (f32.const 2.443315711809948e-5)))))))))
      (local.set $swap (i32x4.shr_s (i32x4.shl (local.get $w) (i32.const 2)) (i32.const 31)))
      (v128.store (local.get $p)
        (f32x4.add (local.get $mu)
          (f32x4.mul (local.get $radius)
            (v128.xor
              (v128.bitselect (local.get $sin) (local.get $cos) (local.get $swap))
              (v128.and (local.get $w) (i32x4.splat (i32.const 0x80000000)))))))
      (v128.store offset=16 (local.get $p)
        (f32x4.add (local.get $mu)
          (f32x4.mul (local.get $radius)
            (v128.xor
              (v128.bitselect (local.get $cos) (local.get $sin) (local.get $swap))
              (v128.and
                (i32x4.shl (local.get $w) (i32.const 1))
                (i32x4.splat (i32.const 0x80000000)))))))
      (local.set $p (i32.add (local.get $p) (i32.const 32)))
      (br_if $more (i32.lt_u (local.get $p) (local.get $end))))))
