variable "mfa_version" {
  description = "What the estate is to run."
  type        = string
  default     = "7.0.0.9"
}

variable "master" {
  description = "The server that is master of the group now. Change it after you have promoted another one by hand."
  type        = string
  default     = "mfa01.contoso.com"
}

variable "server_setup_sha256" {
  description = "SHA-256 of the server setup, by version. The defaults are those of the simulated releases."
  type        = map(string)
  default = {
    "6.3.1.1" = "c027c39ec5741fa09b5e8220f5d39506305efa2039c0d75307662a5859b1e4be"
    "7.0.0.9" = "67de4995c1ef187f281073840b1330fff11ef325f328bca2b25e0ae5d3915413"
    "8.0.1.1" = "085533bd7a93d26191ead40483ed4b145884bff4675eceb9bd824acba2a038b5"
  }
}

variable "proxy" {
  description = "An HTTP proxy on the way to the hosts, http://host:port. The simulated estate is one."
  type        = string
  default     = null
}

variable "ca_certificate" {
  description = "Certificates in PEM by which the hosts are trusted, when they are not the system's."
  type        = string
  default     = null
}
