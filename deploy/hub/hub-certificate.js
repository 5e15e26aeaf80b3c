// The SHA-256 of the client's certificate as RFC 8705 writes it: base64url of the DER form, without padding.
import crypto from "crypto";

function sha256(request) {
    const pem = request.variables.ssl_client_raw_cert;
    if (!pem) {
        return "";
    }
    const der = Buffer.from(pem.replace(/-----[A-Z ]+-----|\s/g, ""), "base64");
    return crypto.createHash("sha256").update(der).digest("base64url");
}

export default { sha256 };
