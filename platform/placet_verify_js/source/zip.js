// A zip, read as strictly as a zip can be: every byte of the file belongs to something that is
// looked at, and the two places that describe each member say the same.

import { textOf } from "./bytes.js";
import { malformed } from "./refusal.js";

const MOST_FILES = 5_000;
const MOST_BYTES = 256 << 20;
const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const END_SIZE = 22;
const STORED = 0;
const DEFLATED = 8;
const UTF8_NAMES = 0x800;
// From the version that is needed to the lengths of name and extra: in both descriptions.
const SHARED = 26;

// The files of a zip, by name; refused for anything but plain members behind one another.
export async function readZip(bytes) {
  if (bytes.length < END_SIZE) malformed("this is no zip that can be read");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = bytes.length - END_SIZE;
  const count = view.getUint16(end + 10, true);
  const size = view.getUint32(end + 12, true);
  const start = view.getUint32(end + 16, true);
  const plain = view.getUint32(end, true) === END && view.getUint32(end + 4, true) === 0;
  const whole = view.getUint16(end + 8, true) === count && view.getUint16(end + 20, true) === 0;
  if (!plain || !whole || start + size !== end) malformed("this is no zip that can be read");
  if (count > MOST_FILES) malformed("the bundle is larger than any that Placet makes");
  const files = new Map();
  const place = { central: start, local: 0, left: MOST_BYTES };
  for (let number = 0; number < count; number += 1) {
    const member = readMember(view, bytes, place, start, end);
    if (files.has(member.name)) malformed(`the bundle holds ${member.name} twice`);
    files.set(member.name, await unpack(member));
  }
  if (place.central !== end || place.local !== start)
    malformed("the zip holds more than its files");
  return files;
}

// One member, described twice: in the directory at the end, and in front of its bytes.
function readMember(view, bytes, place, start, end) {
  const { central, local } = place;
  if (central + 46 > end || local + 30 > start) malformed("this is no zip that can be read");
  const sane =
    view.getUint32(central, true) === CENTRAL &&
    view.getUint32(local, true) === LOCAL &&
    view.getUint32(central + 42, true) === local &&
    view.getUint16(central + 30, true) === 0 &&
    view.getUint16(central + 32, true) === 0 &&
    view.getUint16(central + 34, true) === 0 &&
    view.getUint16(central + 36, true) === 0;
  const flags = view.getUint16(local + 6, true);
  const method = view.getUint16(local + 8, true);
  const nameLength = view.getUint16(local + 26, true);
  const known = (flags & ~UTF8_NAMES) === 0 && (method === STORED || method === DEFLATED);
  if (!sane || !known || !same(bytes, central + 6, local + 4, SHARED)) {
    malformed("a file of the zip is packed in a way that Placet never uses");
  }
  const packed = view.getUint32(local + 18, true);
  const size = view.getUint32(local + 22, true);
  const body = local + 30 + nameLength;
  if (body + packed > start || central + 46 + nameLength > end) malformed("the zip is cut off");
  if (!same(bytes, central + 46, local + 30, nameLength))
    malformed("a file of the zip has two names");
  place.left -= size;
  if (place.left < 0) malformed("the bundle is larger than any that Placet makes");
  place.central = central + 46 + nameLength;
  place.local = body + packed;
  return {
    name: textOf(bytes.subarray(local + 30, body), "a name in the zip"),
    method,
    size,
    crc: view.getUint32(local + 14, true),
    packed: bytes.subarray(body, body + packed),
  };
}

function same(bytes, one, other, length) {
  for (let at = 0; at < length; at += 1) {
    if (bytes[one + at] !== bytes[other + at]) return false;
  }
  return true;
}

async function unpack({ name, method, size, crc, packed }) {
  const content = method === STORED ? packed : await inflate(packed, size, name);
  if (content.length !== size || crc32(content) !== crc) malformed(`${name} in the zip is damaged`);
  return content;
}

// Raw deflate, never more than the size that was announced.
async function inflate(packed, size, name) {
  const content = new Uint8Array(size);
  let filled = 0;
  const reader = new Blob([packed])
    .stream()
    .pipeThrough(new DecompressionStream("deflate-raw"))
    .getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      content.set(value, filled); // throws when there is more than was announced
      filled += value.length;
    }
  } catch {
    await reader.cancel().catch(() => {});
    malformed(`${name} in the zip is damaged`);
  }
  return filled === size ? content : malformed(`${name} in the zip is damaged`);
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function crc32(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = CRC_TABLE[(value ^ byte) & 0xff] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}
