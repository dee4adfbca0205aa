// The Merkle tree of RFC 6962, whose proofs are verified as RFC 9162, section 2.1, has it.
//
// Indexes and sizes are BigInt: a log may outgrow 2^53. Hashes are Uint8Array of 32 bytes.

import { equal, sha256 } from "./bytes.js";

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

export const leafHash = (data) => sha256(LEAF, data);

const nodeHash = (left, right) => sha256(NODE, left, right);

// RFC 9162, section 2.1.1: SHA-256 of nothing.
export const emptyRoot = () => sha256();

// Section 2.1.3.2, "Verifying an Inclusion Proof"; its names of things.
export async function verifyInclusion(leaf, leafIndex, treeSize, path, root) {
  if (leafIndex < 0n || leafIndex >= treeSize) return false;
  let fn = leafIndex;
  let sn = treeSize - 1n;
  let r = leaf;
  for (const p of path) {
    if (sn === 0n) return false;
    if (fn % 2n === 1n || fn === sn) {
      r = await nodeHash(p, r);
      while (fn % 2n === 0n && fn !== 0n) [fn, sn] = [fn >> 1n, sn >> 1n];
    } else {
      r = await nodeHash(r, p);
    }
    [fn, sn] = [fn >> 1n, sn >> 1n];
  }
  return sn === 0n && equal(r, root);
}

// Section 2.1.4.2, "Verifying Consistency between Two Tree Heads", which is for 0 < first < second.
// Equal sizes need equal roots and no path. The empty tree, which has one root, precedes every other.
export async function verifyConsistency(first, second, firstRoot, secondRoot, path) {
  if (first < 0n || first > second) return false;
  if (first === 0n && !equal(firstRoot, await emptyRoot())) return false;
  if (first === second) return path.length === 0 && equal(firstRoot, secondRoot);
  if (first === 0n) return path.length === 0;
  if (path.length === 0) return false;
  const steps = (first & (first - 1n)) === 0n ? [firstRoot, ...path] : [...path];
  let fn = first - 1n;
  let sn = second - 1n;
  while (fn % 2n === 1n) [fn, sn] = [fn >> 1n, sn >> 1n];
  let fr = steps[0];
  let sr = steps[0];
  for (const c of steps.slice(1)) {
    if (sn === 0n) return false;
    if (fn % 2n === 1n || fn === sn) {
      fr = await nodeHash(c, fr);
      sr = await nodeHash(c, sr);
      while (fn % 2n === 0n && fn !== 0n) [fn, sn] = [fn >> 1n, sn >> 1n];
    } else {
      sr = await nodeHash(sr, c);
    }
    [fn, sn] = [fn >> 1n, sn >> 1n];
  }
  return sn === 0n && equal(fr, firstRoot) && equal(sr, secondRoot);
}
