"""Hourglass frames in plain Python, as docs/frame.md describes them: codec.bin, compact, batch and standard frames, both ways.

    codec = Codec(open("codec.bin", "rb").read(), bytes.fromhex(decoder))    # from a bundle; decoder: in its manifest.json
    frame = codec.encode(codec.quantise(2, codes), quality=2)               # codes: rows of numbers, from the encoder
    quality, symbols = codec.decode(frame)"""
import math, struct
from binascii import crc32, crc_hqx
from itertools import accumulate
KINDS = {"compact": (1, 2), "batch": (2, 3), "standard": (3, 8)}  # wire number, bytes of the decoder's hash
TOTAL = 1 << 14
def varint(value):
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + varint(value >> 7)
class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0
    def take(self, count):
        if self.at + count > len(self.data):
            raise ValueError("the bytes end too early")
        self.at += count
        return self.data[self.at - count : self.at]
    def varint(self, shift=0):
        byte = self.take(1)[0]
        return byte << shift if byte < 0x80 else ((byte & 0x7F) << shift) + self.varint(shift + 7)
    def zigzag(self):
        value = self.varint()
        return -(value + 1) // 2 if value % 2 else value // 2
    def float(self):
        return struct.unpack("<f", self.take(4))[0]
    def table(self):
        return Table(self.zigzag(), [self.varint() for _ in range(self.varint())])
class Table:  # frequencies of the symbols from `low` to `last`, and at the end of the escape; a single one is a constant
    def __init__(self, low, frequencies):
        self.low, self.frequencies, self.starts = low, frequencies, [0, *accumulate(frequencies)]
        self.constant, self.escape, self.last = len(frequencies) == 1, len(frequencies) - 1, low + len(frequencies) - 2
        if sum(frequencies) != TOTAL:
            raise ValueError("the frequencies of a table sum to 2^14")
    def slot(self, symbol):  # and of an escaped symbol the bits of its Elias gamma code: the length in unary, the number
        if self.low <= symbol <= self.last:
            return symbol - self.low, ""
        digits = bin(2 * (symbol - self.last) - 1 if symbol > self.last else 2 * (self.low - symbol))[2:]
        return self.escape, "0" * (len(digits) - 1) + digits
    def bits(self, symbol):
        slot, gamma = (0, "") if self.constant else self.slot(symbol)
        return math.log2(TOTAL / self.frequencies[slot]) + len(gamma)
    def encode(self, coder, symbol):
        if not self.constant:
            slot, gamma = self.slot(symbol)
            coder.encode(self.starts[slot], self.frequencies[slot], TOTAL)
            for bit in gamma:
                coder.encode(int(bit), 1, 2)
    def decode(self, coder):
        if self.constant:
            return self.low
        slot = coder.decode(TOTAL, self.starts)
        if slot < self.escape:
            return self.low + slot
        length, value, bit = 1, 1, (0, 1, 2)
        while length < 18 and not coder.decode(2, bit):
            length += 1
        for _ in range(length - 1):
            value = value << 1 | coder.decode(2, bit)
        return self.last + (value + 1) // 2 if value % 2 else self.low - value // 2
class RangeEncoder:  # `low` is kept whole, so that carries need no care; `shifted` bytes of it are written
    def __init__(self):
        self.low, self.range, self.shifted = 0, 2**32 - 1, 0
    def encode(self, start, frequency, total):
        unit = self.range // total
        self.low, self.range = self.low + start * unit, frequency * unit
        while self.range < 2**24:
            self.low, self.range, self.shifted = self.low << 8, self.range << 8, self.shifted + 1
    def finish(self):
        for kept in range(5):
            step = 2 ** (32 - 8 * kept)
            value = -(-self.low // step) * step
            if value < self.low + self.range:
                return value.to_bytes(self.shifted + 4, "big")[: self.shifted + kept]
class RangeDecoder:
    def __init__(self, data):
        self.bytes, self.range = iter(data), 2**32 - 1
        self.code = int.from_bytes(bytes(next(self.bytes, 0) for _ in range(4)), "big")
    def decode(self, total, starts):
        unit = self.range // total
        slot = max(i for i, start in enumerate(starts[:-1]) if start <= min(total - 1, self.code // unit))
        self.code, self.range = self.code - starts[slot] * unit, (starts[slot + 1] - starts[slot]) * unit
        while self.range < 2**24:
            self.code, self.range = self.code << 8 | next(self.bytes, 0), self.range << 8
        return slot

class Codec:
    def __init__(self, data, decoder):
        reader = Reader(data)
        if reader.take(3) != b"HGP" or (version := reader.take(1)[0]) not in (1, 2):
            raise ValueError("this is no codec.bin of version 1 or 2")
        self.decoder, self.shape = decoder, [reader.varint() for _ in range(reader.varint())]
        self.order = [reader.varint() for _ in range(math.prod(self.shape))]
        self.qualities = [self._quality(reader, version) for _ in range(reader.varint())]
    def _quality(self, reader, version):
        reader.take(8)  # what is expected of it: payload bytes of a row in a batch, PSNR in dB
        units, tables, clusters = [], [], None
        for _ in self.order:
            coded = reader.take(1)[0]
            step, offset, _weight = (reader.float() if coded else 1), reader.float(), (reader.float() if coded else 0)
            units.append((step, offset))
            tables.append(reader.table() if coded else Table(reader.zigzag(), [TOTAL]))
        if version == 2 and (count := reader.varint()):
            kinds = reader.table()
            clusters = kinds, [[t if t.constant else reader.table() for t in tables] for _ in range(count)]
        return {"units": units, "tables": tables, "clusters": clusters}
    def quantise(self, quality, codes):  # to the nearest symbols; an encoder may take a neighbour that costs fewer bits
        units, tables = self.qualities[quality]["units"], self.qualities[quality]["tables"]
        nearest = lambda z, step, offset: max(-32767, min(32767, math.floor((z - offset) / step + 0.5)))
        return [[t.low if t.constant else nearest(z, *u) for z, u, t in zip(row, units, tables)] for row in codes]
    def codes(self, quality, symbols):
        return [[s * step + offset for s, (step, offset) in zip(row, self.qualities[quality]["units"])] for row in symbols]
    def encode(self, symbols, quality, kind="batch"):
        (number, width), chosen, coder = KINDS[kind], self.qualities[quality], RangeEncoder()
        head = bytes([number << 4 | quality]) + self.decoder[:width] + (b"" if kind == "compact" else varint(len(symbols)))
        head += varint(len(self.shape)) + b"".join(map(varint, self.shape)) if kind == "standard" else b""
        for row in symbols:
            tables = chosen["tables"]
            if chosen["clusters"]:
                kinds, options = chosen["clusters"]
                cost = lambda k: kinds.bits(k) + sum(t.bits(s) for t, s in zip(options[k], row))
                cluster = min(range(len(options)), key=cost)
                kinds.encode(coder, cluster)
                tables = options[cluster]
            for unit in self.order:
                tables[unit].encode(coder, row[unit])
        ordered = [row[unit] for row in symbols for unit in self.order]
        checked = self.decoder + head + struct.pack(f"<{len(ordered)}h", *ordered)
        check = struct.pack(">I", crc32(checked)) if kind == "standard" else struct.pack(">H", crc_hqx(checked, 0xFFFF))
        return head + check + coder.finish()
    def decode(self, frame):
        reader, names = Reader(frame), {number: kind for kind, (number, _) in KINDS.items()}
        first = reader.take(1)[0]
        kind, chosen = names[first >> 4], self.qualities[first & 15]
        if reader.take(KINDS[kind][1]) != self.decoder[: KINDS[kind][1]]:
            raise ValueError("the frame is another decoder's")
        rows = 1 if kind == "compact" else reader.varint()
        if kind == "standard" and [reader.varint() for _ in range(reader.varint())] != self.shape:
            raise ValueError("the frame has another shape")
        coder = RangeDecoder(frame[reader.at + (4 if kind == "standard" else 2) :])
        symbols = [[0] * len(self.order) for _ in range(rows)]
        for row in symbols:
            tables = chosen["clusters"][1][chosen["clusters"][0].decode(coder)] if chosen["clusters"] else chosen["tables"]
            for unit in self.order:
                row[unit] = tables[unit].decode(coder)
        if self.encode(symbols, first & 15, kind) != frame:  # one payload for one row of symbols, and the checksum
            raise ValueError("the frame is damaged")
        return first & 15, symbols
