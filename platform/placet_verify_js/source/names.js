// What people call a release, its endpoint and its model: from events of the log, and from the bill of
// materials that the verification summary names. A name that is not plain is not said.

import { isObject, parseJson } from "./json.js";
import { Refused } from "./refusal.js";

const ML_BOM = "mlbom.json";
const PLAIN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

const isPlain = (name) => typeof name === "string" && PLAIN.test(name);
const isNumber = (value) => Number.isSafeInteger(value) && value > 0;

// Tell each name that is proven.
export function tellNames(files, logged, request, made, tell) {
  const { release, endpoint } = request;
  const find = (table, id, fits) =>
    logged.rows(table).find(({ columns }) => columns.id === id && fits(columns));
  const numbered = find("governance.release", release, ({ number }) => isNumber(number));
  if (numbered) {
    tell(`name: ${release} is release ${numbered.columns.number}, event ${numbered.index}`);
  }
  const called = find("serving.endpoint", endpoint, ({ name }) => isPlain(name));
  if (called) tell(`name: ${endpoint} is endpoint ${called.columns.name}, event ${called.index}`);
  const { group, name, version, hashes } = componentOf(files.get(ML_BOM));
  const bare = request.artifact_digest.replace(/^sha256:/, "");
  const isIt = Array.isArray(hashes) && hashes.some((one) => isObject(one) && one.content === bare);
  if (isIt && [group, name, version].every(isPlain)) {
    tell(
      `name: ${made.version} is model ${name}, version ${version}, of project ${group}, ${ML_BOM}`,
    );
  }
}

// What a bill of materials is of; an empty object where it does not say so.
function componentOf(content) {
  if (!content) return {};
  try {
    const component = parseJson(content, ML_BOM)?.metadata?.component;
    return isObject(component) ? component : {};
  } catch (fault) {
    if (fault instanceof Refused) return {};
    throw fault;
  }
}
