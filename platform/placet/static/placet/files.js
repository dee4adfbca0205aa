// Files that a comment does not take are named before they are sent: a form that is too long is
// refused unread, with what was typed.
(() => {
  const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

  const fault = ({ most, each, together }, files) => {
    if (files.length > most)
      return `${files[most].name} is one too many: a comment takes ${most} files`;
    const long = files.find((file) => file.size > each);
    if (long)
      return `${long.name} has ${megabytes(long.size)}, and at most ${megabytes(each)} are taken`;
    const size = files.reduce((sum, file) => sum + file.size, 0);
    if (size <= together) return "";
    return `Together they have ${megabytes(size)}, and at most ${megabytes(together)} may go with a comment`;
  };

  const check = (input) => {
    const { most, each, together } = input.dataset;
    const limits = { most: Number(most), each: Number(each), together: Number(together) };
    input.setCustomValidity(fault(limits, [...input.files]));
  };

  const inputs = document.querySelectorAll("input[type=file][data-most]");
  inputs.forEach((input) => {
    input.addEventListener("change", () => {
      check(input);
      input.reportValidity();
    });
    check(input); // browsers keep what was chosen when the page comes back
  });
})();
