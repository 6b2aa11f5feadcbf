// SHA-256 by hand, piece by piece: pages on plain HTTP have no `crypto.subtle`, and that takes only what is whole in memory.

const BLOCK = 64;

export interface Hash {
  update(data: Uint8Array): void;
  /** What the pieces give together; nothing may be added after. */
  hex(): string;
}

export function sha256(): Hash {
  const { roots, state } = constants();
  const words = new Int32Array(64);
  let left = new Uint8Array(0);
  let length = 0;

  /** Whole blocks only; returns what is left. */
  function digest(data: Uint8Array): Uint8Array<ArrayBuffer> {
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const word = (index: number) => words[index] ?? 0;
    let block = 0;
    for (; block + BLOCK <= data.length; block += BLOCK) {
      for (let i = 0; i < 16; i++) words[i] = view.getInt32(block + i * 4);
      for (let i = 16; i < 64; i++) {
        const [early, late] = [word(i - 15), word(i - 2)];
        const mixed = (turn(early, 7) ^ turn(early, 18) ^ (early >>> 3)) + (turn(late, 17) ^ turn(late, 19) ^ (late >>> 10));
        words[i] = word(i - 16) + word(i - 7) + mixed;
      }
      let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number];
      for (let i = 0; i < 64; i++) {
        const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + (roots[i] ?? 0) + word(i)) | 0;
        const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
        [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
      }
      [a, b, c, d, e, f, g, h].forEach((value, i) => (state[i] = ((state[i] ?? 0) + value) | 0));
    }
    return data.slice(block) as Uint8Array<ArrayBuffer>;
  }

  return {
    update(data) {
      length += data.length;
      const all = new Uint8Array(left.length + data.length);
      all.set(left);
      all.set(data, left.length);
      left = digest(all);
    },
    hex() {
      const padded = new Uint8Array(((left.length + 8) >> 6) * BLOCK + BLOCK);
      padded.set(left);
      padded[left.length] = 0x80;
      const view = new DataView(padded.buffer);
      view.setUint32(padded.length - 8, Math.floor(length / 2 ** 29));
      view.setUint32(padded.length - 4, (length * 8) % 2 ** 32);
      digest(padded);
      return [...state].map((value) => (value >>> 0).toString(16).padStart(8, "0")).join("");
    },
  };
}

function constants(): { roots: Int32Array; state: Int32Array } {
  const primes: number[] = [];
  for (let candidate = 2; primes.length < 64; candidate++) {
    if (primes.every((prime) => candidate % prime !== 0)) primes.push(candidate);
  }
  return {
    roots: Int32Array.from(primes, (prime) => fraction(Math.cbrt(prime))),
    state: Int32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime))),
  };
}

const turn = (value: number, by: number) => (value >>> by) | (value << (32 - by));
const fraction = (value: number) => ((value - Math.floor(value)) * 2 ** 32) | 0;
