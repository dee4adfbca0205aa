// A refusal: a stable code for programs and a sentence for people.

export class Refused extends Error {
  constructor(code, sentence) {
    super(sentence);
    this.code = code;
  }
}

export function refuse(code, sentence) {
  throw new Refused(code, sentence);
}

export function malformed(sentence) {
  throw new Refused("malformed", sentence);
}
