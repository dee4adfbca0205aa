// The form that asks for a release says of the endpoint and the environment that are chosen whether
// anything is live there, and offers who decides there, if anybody does, and until when: without a
// script it names those that it was opened with, and everybody.
(() => {
  const [environment, endpoint] = ["environment", "endpoint"].map((id) =>
    document.getElementById(id),
  );
  if (!environment) return;
  const people = [...document.querySelectorAll("[data-environments]")];
  const due = [...document.querySelectorAll("[data-due]")];
  const review = document.getElementById("review");

  const offer = () => {
    for (const person of people) {
      person.hidden = !person.dataset.environments.split(" ").includes(environment.value);
      person.querySelector("input").disabled = person.hidden;
    }
    for (const hint of due) hint.hidden = hint.dataset.due !== environment.value;
    if (review) review.hidden = people.every((person) => person.hidden);
  };
  environment.addEventListener("change", offer);
  offer();

  const said = document.querySelector("[data-untouched]");
  if (!said) return;
  const live = [...document.querySelectorAll("#endpoints [data-live]")];

  const show = () => {
    const [place, name] = [environment.value, endpoint.value.trim()];
    const taken = live.some((one) => one.value === name && one.dataset.environment === place);
    said.hidden = !name || !place || taken;
    said.querySelector("[data-endpoint]").textContent = name;
    said.querySelector("[data-environment]").textContent = place;
  };
  for (const input of [environment, endpoint]) {
    for (const name of ["input", "change"]) input.addEventListener(name, show);
  }
  show();
})();
