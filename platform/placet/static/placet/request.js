// The form that asks for a release says of the endpoint and the environment that are chosen whether
// anything is live there: without a script it names those that it was opened with.
(() => {
  const said = document.querySelector("[data-untouched]");
  if (!said) return;
  const [environment, endpoint] = ["environment", "endpoint"].map((id) =>
    document.getElementById(id),
  );
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
