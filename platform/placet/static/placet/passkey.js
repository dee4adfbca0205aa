// Forms that a passkey signs: ask for the challenge, let the authenticator answer it, send the form
// with the answer. Without this script the form is sent as it is, and refused where a passkey is
// demanded.
(() => {
  const bytes = (text) =>
    Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer)))
      .replaceAll("+", "-")
      .replaceAll("/", "_")
      .replaceAll("=", "");

  // What the form says, the button that sends it too, as the challenge's route takes it.
  const said = (form, pressed) => {
    const body = {};
    (form.dataset.passkeyFields || "")
      .split(" ")
      .filter(Boolean)
      .forEach((name) => {
        const input = pressed?.name === name ? pressed : form.elements.namedItem(name);
        if (!input || input.value === "") return;
        body[name] = input.dataset.number === undefined ? input.value : Number(input.value);
      });
    return body;
  };

  const challenge = async (form, pressed) => {
    const response = await fetch(form.dataset.passkey, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        "X-CSRFToken": form.querySelector("[name=csrfmiddlewaretoken]").value,
      },
      body: JSON.stringify(said(form, pressed)),
    });
    const answer = await response.json();
    if (!response.ok)
      throw new Error([answer.detail, ...(answer.errors || []).map((e) => e.detail)].join(": "));
    return answer;
  };

  const sign = async (asked) => {
    const credential = await navigator.credentials.get({
      publicKey: {
        challenge: bytes(asked.challenge),
        rpId: asked.rp_id,
        allowCredentials: [{ type: "public-key", id: bytes(asked.credential) }],
        userVerification: asked.user_verification,
        timeout: asked.timeout_ms,
      },
    });
    const answer = credential.response;
    return {
      credential: text(credential.rawId),
      authenticator_data: text(answer.authenticatorData),
      client_data: text(answer.clientDataJSON),
      signature: text(answer.signature),
    };
  };

  const inWords = (error) => {
    if (!window.PublicKeyCredential)
      return "This browser doesn't support passkeys, or the page is at a different address than they were created for.";
    if (error.name === "TypeError")
      return "Could not reach Placet. Nothing was sent, and what you typed is still here: try again.";
    if (error.name === "NotAllowedError")
      return "The passkey was not used: it was cancelled, took too long, or is not on this device.";
    return error.message;
  };

  // As the button would that was pressed: its name and value go with the form.
  const send = (form, pressed) => {
    const input = document.createElement("input");
    input.type = "hidden";
    input.name = pressed?.name || "";
    input.value = pressed?.value || "";
    form.append(input);
    form.submit();
    input.remove();
  };

  // Before the handler that counts how often a form was sent: this one sends it later.
  document.addEventListener(
    "submit",
    async (event) => {
      const form = event.target.closest("form[data-passkey]");
      const pressed = event.submitter;
      // A button that leads elsewhere sends what nobody signs.
      if (!form || pressed?.hasAttribute("formaction")) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      if (form.getAttribute("aria-busy")) return;
      const fault = form.querySelector("[data-passkey-fault]");
      form.setAttribute("aria-busy", "true");
      fault.hidden = true;
      try {
        form.elements.namedItem("assertion").value = JSON.stringify(
          await sign(await challenge(form, pressed)),
        );
        send(form, pressed);
      } catch (error) {
        fault.textContent = inWords(error);
        fault.hidden = false;
        form.removeAttribute("aria-busy");
      }
    },
    true,
  );
})();
