// SHA-256 of a file that is read piece by piece: what browsers have of their own wants all of it.
(() => {
  const primes = (count) => {
    const found = [];
    for (let n = 2; found.length < count; n += 1) if (found.every((p) => n % p)) found.push(n);
    return found;
  };
  // The first 32 bits behind the point of the roots of the first primes, as the standard says
  const fraction = (root) => Math.floor((root - Math.floor(root)) * 2 ** 32) | 0;
  const START = primes(8).map((p) => fraction(Math.sqrt(p)));
  const ROUNDS = new Int32Array(primes(64).map((p) => fraction(Math.cbrt(p))));

  const turn = (x, by) => (x >>> by) | (x << (32 - by));

  class Sha256 {
    constructor() {
      this.state = new Int32Array(START);
      this.words = new Int32Array(64);
      this.rest = new Uint8Array(64); // what does not fill a block yet
      this.length = 0;
    }

    // Take the next bytes.
    update(bytes) {
      const waiting = this.length % 64;
      this.length += bytes.length;
      let at = 0;
      if (waiting) {
        at = Math.min(64 - waiting, bytes.length);
        this.rest.set(bytes.subarray(0, at), waiting);
        if (waiting + at < 64) return;
        this.block(this.rest, 0);
      }
      for (; at + 64 <= bytes.length; at += 64) this.block(bytes, at);
      this.rest.set(bytes.subarray(at));
    }

    // End it and return the digest in hex.
    digest() {
      const bits = this.length * 8;
      const waiting = this.length % 64;
      const end = new Uint8Array(waiting < 56 ? 64 - waiting : 128 - waiting);
      end[0] = 0x80;
      const view = new DataView(end.buffer);
      view.setUint32(end.length - 8, Math.floor(bits / 2 ** 32));
      view.setUint32(end.length - 4, bits >>> 0);
      this.update(end);
      return [...this.state].map((n) => (n >>> 0).toString(16).padStart(8, "0")).join("");
    }

    block(bytes, at) {
      const w = this.words;
      for (let i = 0, b = at; i < 16; i += 1, b += 4) {
        w[i] = (bytes[b] << 24) | (bytes[b + 1] << 16) | (bytes[b + 2] << 8) | bytes[b + 3];
      }
      for (let i = 16; i < 64; i += 1) {
        const x = w[i - 15];
        const y = w[i - 2];
        const before = turn(x, 7) ^ turn(x, 18) ^ (x >>> 3);
        const behind = turn(y, 17) ^ turn(y, 19) ^ (y >>> 10);
        w[i] = (w[i - 16] + before + w[i - 7] + behind) | 0;
      }
      const s = this.state;
      let a = s[0];
      let b = s[1];
      let c = s[2];
      let d = s[3];
      let e = s[4];
      let f = s[5];
      let g = s[6];
      let h = s[7];
      for (let i = 0; i < 64; i += 1) {
        const chosen = (e & f) ^ (~e & g);
        const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + chosen + ROUNDS[i] + w[i]) | 0;
        const most = (a & b) ^ (a & c) ^ (b & c);
        const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + most) | 0;
        h = g;
        g = f;
        f = e;
        e = (d + one) | 0;
        d = c;
        c = b;
        b = a;
        a = (one + two) | 0;
      }
      s[0] += a; // the array keeps 32 bits
      s[1] += b;
      s[2] += c;
      s[3] += d;
      s[4] += e;
      s[5] += f;
      s[6] += g;
      s[7] += h;
    }
  }

  window.Sha256 = Sha256;
})();
