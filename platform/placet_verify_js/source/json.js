// JSON read strictly (RFC 8259 within I-JSON, RFC 7493), and its canonical form (RFC 8785).
//
// JSON.parse takes the last of two members of one name; here a document that names one twice is
// refused. Objects have no prototype, so that "__proto__" is a name like any other.

import { textOf } from "./bytes.js";
import { malformed, Refused } from "./refusal.js";

const DEEPEST = 500;
const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const ESCAPES = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };
const WORDS = { true: true, false: false, null: null };

// The value of a document: text, or bytes of UTF-8.
export function parseJson(document, name = "the document") {
  const text = typeof document === "string" ? document : textOf(document, name);
  const reader = new Reader(text);
  try {
    return reader.document();
  } catch (fault) {
    if (fault instanceof Refused) throw fault;
    return malformed(`${name} is not JSON: ${fault.message}`);
  }
}

class Reader {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  fail(sentence) {
    throw new SyntaxError(`${sentence} at ${this.at}`);
  }

  // The longest match of a sticky expression here; '' when there is none.
  take(expression) {
    expression.lastIndex = this.at;
    const found = expression.exec(this.text);
    if (found) this.at += found[0].length;
    return found ? found[0] : "";
  }

  // Whether the next letter is this one, which is then read.
  next(letter) {
    this.take(SPACE);
    if (this.text[this.at] !== letter) return false;
    this.at += 1;
    return true;
  }

  demand(letter) {
    if (!this.next(letter)) this.fail(`there is no ${letter}`);
  }

  document() {
    const value = this.value(0);
    this.take(SPACE);
    if (this.at !== this.text.length) this.fail("there is more than one value");
    return value;
  }

  value(depth) {
    if (depth > DEEPEST) this.fail("it is nested too deeply");
    if (this.next("{")) return this.object(depth + 1);
    if (this.next("[")) return this.list(depth + 1);
    if (this.next('"')) return this.string();
    for (const word of Object.keys(WORDS)) {
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length;
        return WORDS[word];
      }
    }
    return this.number();
  }

  object(depth) {
    const members = Object.create(null);
    if (this.next("}")) return members;
    do {
      this.demand('"');
      const name = this.string();
      if (name in members) this.fail("an object names a member twice");
      this.demand(":");
      members[name] = this.value(depth);
    } while (this.next(","));
    this.demand("}");
    return members;
  }

  list(depth) {
    const entries = [];
    if (this.next("]")) return entries;
    do entries.push(this.value(depth));
    while (this.next(","));
    this.demand("]");
    return entries;
  }

  string() {
    let text = "";
    for (;;) {
      text += this.take(PLAIN);
      const letter = this.text[this.at];
      this.at += 1;
      if (letter === '"') break;
      if (letter !== "\\") this.fail("a text does not end");
      text += this.escape();
    }
    if (!text.isWellFormed()) this.fail("a text holds half a character");
    return text;
  }

  escape() {
    const letter = this.text[this.at];
    this.at += 1;
    if (letter === "u") {
      const digits = this.text.slice(this.at, this.at + 4);
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) this.fail("an escape has not four digits");
      this.at += 4;
      return String.fromCharCode(parseInt(digits, 16));
    }
    if (!Object.hasOwn(ESCAPES, letter)) this.fail("there is no such escape");
    return ESCAPES[letter];
  }

  number() {
    const digits = this.take(NUMBER);
    if (digits === "") this.fail("there is no value");
    const number = Number(digits);
    if (!Number.isFinite(number)) this.fail("a number is too large");
    return number;
  }
}

export const isObject = (value) =>
  typeof value === "object" && value !== null && !Array.isArray(value);

// Whether an object has exactly these members.
export const hasExactly = (value, names) =>
  isObject(value) &&
  Object.keys(value).length === names.length &&
  names.every((name) => Object.hasOwn(value, name));

// RFC 8785: members sorted by UTF-16 code units, numbers as ECMAScript writes them, no spaces.
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const members = Object.keys(value)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`);
  return `{${members.join(",")}}`;
}
