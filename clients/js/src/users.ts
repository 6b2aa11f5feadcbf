// Users' own channels: `location:user-ana` has where ana is. The twin of kernel/users.py; tests/shared/user_names.json is their table.

const PLAIN = /^[A-Za-z0-9._-]{1,120}$/;
const DIGITS = 40;

/** The user's own channel. */
export const userChannel = (user: string): string => `user-${nameInChannel(user)}`;

/** Where the system tells the user something. */
export const notifyChannel = (user: string): string => `notify-${nameInChannel(user)}`;

/** A user's name as it stands in channels: itself where it fits, else a hash of it. */
export function nameInChannel(user: string): string {
  return PLAIN.test(user) ? user : `~h${sha256(new TextEncoder().encode(user)).slice(0, DIGITS)}`;
}

/** Pages on plain HTTP have no `crypto.subtle`, and what it has is not to be had at once. */
function sha256(data: Uint8Array): string {
  const [primes, roots, state] = [[] as number[], [] as number[], [] as number[]];
  for (let candidate = 2; primes.length < 64; candidate++) {
    if (primes.every((prime) => candidate % prime !== 0)) primes.push(candidate);
  }
  for (const prime of primes) {
    roots.push(fraction(Math.cbrt(prime)));
    if (state.length < 8) state.push(fraction(Math.sqrt(prime)));
  }
  const padded = new Uint8Array(((data.length + 8) >> 6) * 64 + 64);
  padded.set(data);
  padded[data.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 4, data.length * 8);
  const words = new Uint32Array(64);
  const word = (index: number) => words[index] ?? 0;
  for (let block = 0; block < padded.length; block += 64) {
    for (let i = 0; i < 16; i++) words[i] = view.getUint32(block + i * 4);
    for (let i = 16; i < 64; i++) {
      const [early, late] = [word(i - 15), word(i - 2)];
      const mixed = (turn(early, 7) ^ turn(early, 18) ^ (early >>> 3)) + (turn(late, 17) ^ turn(late, 19) ^ (late >>> 10));
      words[i] = word(i - 16) + word(i - 7) + mixed;
    }
    let [a, b, c, d, e, f, g, h] = state as [number, number, number, number, number, number, number, number];
    for (let i = 0; i < 64; i++) {
      const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + (roots[i] ?? 0) + word(i)) | 0;
      const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((value, i) => (state[i] = ((state[i] ?? 0) + value) | 0));
  }
  return state.map((value) => (value >>> 0).toString(16).padStart(8, "0")).join("");
}

const turn = (value: number, by: number) => (value >>> by) | (value << (32 - by));
const fraction = (value: number) => ((value - Math.floor(value)) * 2 ** 32) | 0;
