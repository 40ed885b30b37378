/* openssl.h - OpenSSL's headers, and its functions by their own names, from a library that is loaded when TLS is first asked for.
 *
 * A program that speaks plaintext then neither maps libssl and libcrypto nor waits for their relocation (docs/decisions/0011-size.md).
 * Nothing else in src/net includes OpenSSL's headers, and nothing calls it before rota_openssl_load has returned 0.
 * A function that is used for the first time goes into both lists: without the first it does not compile, without the second librota.so
 * does not link. With ROTA_LINK_OPENSSL functions are OpenSSL's, for programs that must not load anything.
 */
#ifndef ROTA_NET_OPENSSL_H
#define ROTA_NET_OPENSSL_H

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <rota/err.h>

/* Loads it, the first time; later calls only look. From any thread. ROTA_EUNSUPPORTED: it is not there or has not all we use, and info
 * says so. */
rota_err rota_openssl_load(struct rota_errinfo *info);

#define ROTA_OPENSSL_MAP(X) \
    X(ASN1_STRING_get0_data) X(ASN1_STRING_length) X(ASN1_TIME_to_tm) X(BIO_clear_flags) X(BIO_ctrl) X(BIO_free) X(BIO_get_data) \
    X(BIO_meth_free) X(BIO_meth_new) X(BIO_meth_set_ctrl) X(BIO_meth_set_read) X(BIO_meth_set_write) X(BIO_new) X(BIO_s_mem) X(BIO_set_data) \
    X(BIO_set_flags) X(BIO_set_init) X(ERR_clear_error) X(ERR_peek_error) X(ERR_peek_last_error) X(ERR_reason_error_string) \
    X(GENERAL_NAMES_free) X(GENERAL_NAME_get0_value) X(OPENSSL_sk_num) X(OPENSSL_sk_value) X(SSL_CTX_check_private_key) \
    X(SSL_CTX_ctrl) X(SSL_CTX_free) X(SSL_CTX_load_verify_file) X(SSL_CTX_new) X(SSL_CTX_sess_set_new_cb) X(SSL_CTX_set_alpn_select_cb) X(SSL_CTX_set_cipher_list) \
    X(SSL_CTX_set_client_CA_list) X(SSL_CTX_set_client_hello_cb) X(SSL_CTX_set_default_passwd_cb) X(SSL_CTX_set_default_passwd_cb_userdata) \
    X(SSL_CTX_set_default_verify_paths) X(SSL_CTX_set_msg_callback) X(SSL_CTX_set_num_tickets) X(SSL_CTX_set_options) \
    X(SSL_CTX_set_session_id_context) X(SSL_CTX_set_session_ticket_cb) X(SSL_CTX_set_verify) X(SSL_CTX_use_PrivateKey_file) \
    X(SSL_CTX_use_certificate_chain_file) X(SSL_SESSION_free) X(SSL_SESSION_get0_peer) X(SSL_SESSION_get_protocol_version) \
    X(SSL_client_hello_get0_ext) X(SSL_ctrl) X(SSL_do_handshake) X(SSL_free) \
    X(SSL_get0_alpn_selected) X(SSL_get0_param) X(SSL_get0_peer_certificate) X(SSL_get_error) X(SSL_get_ex_data) \
    X(SSL_get_ex_data_X509_STORE_CTX_idx) X(SSL_key_update) X(SSL_load_client_CA_file) X(SSL_new) X(SSL_read_ex) X(SSL_session_reused) \
    X(SSL_set1_host) X(SSL_set_accept_state) X(SSL_set_alpn_protos) X(SSL_set_bio) X(SSL_set_connect_state) X(SSL_set_ex_data) \
    X(SSL_set_hostflags) X(SSL_set_session) X(SSL_set_shutdown) X(SSL_shutdown) X(SSL_version) X(SSL_write_ex) X(TLS_client_method) \
    X(TLS_server_method) X(X509_NAME_print_ex) X(X509_STORE_CTX_get_current_cert) X(X509_STORE_CTX_get_error) \
    X(X509_STORE_CTX_get_error_depth) X(X509_STORE_CTX_get_ex_data) X(X509_VERIFY_PARAM_set1_ip_asc) X(X509_cmp_time) X(X509_get0_notAfter) \
    X(X509_get0_notBefore) X(X509_get_ext_d2i) X(X509_get_issuer_name) X(X509_get_subject_name) X(X509_verify_cert_error_string)

struct rota_openssl {
#define ROTA_OPENSSL_MEMBER(name) __typeof__(name) *name;
    ROTA_OPENSSL_MAP(ROTA_OPENSSL_MEMBER)
#undef ROTA_OPENSSL_MEMBER
};
extern struct rota_openssl rota_openssl;

/* Fills *ret_calls from the library of that name. ROTA_EUNSUPPORTED. */
rota_err rota_openssl_read(const char *library, struct rota_openssl *ret_calls, struct rota_errinfo *info);

#ifndef ROTA_LINK_OPENSSL
#define ROTA_OPENSSL(name) (rota_openssl.name)
#define ASN1_STRING_get0_data ROTA_OPENSSL(ASN1_STRING_get0_data)
#define ASN1_STRING_length ROTA_OPENSSL(ASN1_STRING_length)
#define ASN1_TIME_to_tm ROTA_OPENSSL(ASN1_TIME_to_tm)
#define BIO_clear_flags ROTA_OPENSSL(BIO_clear_flags)
#define BIO_ctrl ROTA_OPENSSL(BIO_ctrl)
#define BIO_free ROTA_OPENSSL(BIO_free)
#define BIO_get_data ROTA_OPENSSL(BIO_get_data)
#define BIO_meth_free ROTA_OPENSSL(BIO_meth_free)
#define BIO_meth_new ROTA_OPENSSL(BIO_meth_new)
#define BIO_meth_set_ctrl ROTA_OPENSSL(BIO_meth_set_ctrl)
#define BIO_meth_set_read ROTA_OPENSSL(BIO_meth_set_read)
#define BIO_meth_set_write ROTA_OPENSSL(BIO_meth_set_write)
#define BIO_new ROTA_OPENSSL(BIO_new)
#define BIO_s_mem ROTA_OPENSSL(BIO_s_mem)
#define BIO_set_data ROTA_OPENSSL(BIO_set_data)
#define BIO_set_flags ROTA_OPENSSL(BIO_set_flags)
#define BIO_set_init ROTA_OPENSSL(BIO_set_init)
#define ERR_clear_error ROTA_OPENSSL(ERR_clear_error)
#define ERR_peek_error ROTA_OPENSSL(ERR_peek_error)
#define ERR_peek_last_error ROTA_OPENSSL(ERR_peek_last_error)
#define ERR_reason_error_string ROTA_OPENSSL(ERR_reason_error_string)
#define GENERAL_NAMES_free ROTA_OPENSSL(GENERAL_NAMES_free)
#define GENERAL_NAME_get0_value ROTA_OPENSSL(GENERAL_NAME_get0_value)
#define OPENSSL_sk_num ROTA_OPENSSL(OPENSSL_sk_num)
#define OPENSSL_sk_value ROTA_OPENSSL(OPENSSL_sk_value)
#define SSL_CTX_check_private_key ROTA_OPENSSL(SSL_CTX_check_private_key)
#define SSL_CTX_ctrl ROTA_OPENSSL(SSL_CTX_ctrl)
#define SSL_CTX_free ROTA_OPENSSL(SSL_CTX_free)
#define SSL_CTX_load_verify_file ROTA_OPENSSL(SSL_CTX_load_verify_file)
#define SSL_CTX_new ROTA_OPENSSL(SSL_CTX_new)
#define SSL_CTX_sess_set_new_cb ROTA_OPENSSL(SSL_CTX_sess_set_new_cb)
#define SSL_CTX_set_alpn_select_cb ROTA_OPENSSL(SSL_CTX_set_alpn_select_cb)
#define SSL_CTX_set_cipher_list ROTA_OPENSSL(SSL_CTX_set_cipher_list)
#define SSL_CTX_set_client_CA_list ROTA_OPENSSL(SSL_CTX_set_client_CA_list)
#define SSL_CTX_set_client_hello_cb ROTA_OPENSSL(SSL_CTX_set_client_hello_cb)
#define SSL_CTX_set_default_passwd_cb ROTA_OPENSSL(SSL_CTX_set_default_passwd_cb)
#define SSL_CTX_set_default_passwd_cb_userdata ROTA_OPENSSL(SSL_CTX_set_default_passwd_cb_userdata)
#define SSL_CTX_set_default_verify_paths ROTA_OPENSSL(SSL_CTX_set_default_verify_paths)
#define SSL_CTX_set_msg_callback ROTA_OPENSSL(SSL_CTX_set_msg_callback)
#define SSL_CTX_set_num_tickets ROTA_OPENSSL(SSL_CTX_set_num_tickets)
#define SSL_CTX_set_options ROTA_OPENSSL(SSL_CTX_set_options)
#define SSL_CTX_set_session_id_context ROTA_OPENSSL(SSL_CTX_set_session_id_context)
#define SSL_CTX_set_session_ticket_cb ROTA_OPENSSL(SSL_CTX_set_session_ticket_cb)
#define SSL_CTX_set_verify ROTA_OPENSSL(SSL_CTX_set_verify)
#define SSL_CTX_use_PrivateKey_file ROTA_OPENSSL(SSL_CTX_use_PrivateKey_file)
#define SSL_CTX_use_certificate_chain_file ROTA_OPENSSL(SSL_CTX_use_certificate_chain_file)
#define SSL_SESSION_free ROTA_OPENSSL(SSL_SESSION_free)
#define SSL_SESSION_get0_peer ROTA_OPENSSL(SSL_SESSION_get0_peer)
#define SSL_SESSION_get_protocol_version ROTA_OPENSSL(SSL_SESSION_get_protocol_version)
#define SSL_client_hello_get0_ext ROTA_OPENSSL(SSL_client_hello_get0_ext)
#define SSL_ctrl ROTA_OPENSSL(SSL_ctrl)
#define SSL_do_handshake ROTA_OPENSSL(SSL_do_handshake)
#define SSL_free ROTA_OPENSSL(SSL_free)
#define SSL_get0_alpn_selected ROTA_OPENSSL(SSL_get0_alpn_selected)
#define SSL_get0_param ROTA_OPENSSL(SSL_get0_param)
#define SSL_get0_peer_certificate ROTA_OPENSSL(SSL_get0_peer_certificate)
#define SSL_get_error ROTA_OPENSSL(SSL_get_error)
#define SSL_get_ex_data ROTA_OPENSSL(SSL_get_ex_data)
#define SSL_get_ex_data_X509_STORE_CTX_idx ROTA_OPENSSL(SSL_get_ex_data_X509_STORE_CTX_idx)
#define SSL_key_update ROTA_OPENSSL(SSL_key_update)
#define SSL_load_client_CA_file ROTA_OPENSSL(SSL_load_client_CA_file)
#define SSL_new ROTA_OPENSSL(SSL_new)
#define SSL_read_ex ROTA_OPENSSL(SSL_read_ex)
#define SSL_session_reused ROTA_OPENSSL(SSL_session_reused)
#define SSL_set1_host ROTA_OPENSSL(SSL_set1_host)
#define SSL_set_accept_state ROTA_OPENSSL(SSL_set_accept_state)
#define SSL_set_alpn_protos ROTA_OPENSSL(SSL_set_alpn_protos)
#define SSL_set_bio ROTA_OPENSSL(SSL_set_bio)
#define SSL_set_connect_state ROTA_OPENSSL(SSL_set_connect_state)
#define SSL_set_ex_data ROTA_OPENSSL(SSL_set_ex_data)
#define SSL_set_hostflags ROTA_OPENSSL(SSL_set_hostflags)
#define SSL_set_session ROTA_OPENSSL(SSL_set_session)
#define SSL_set_shutdown ROTA_OPENSSL(SSL_set_shutdown)
#define SSL_shutdown ROTA_OPENSSL(SSL_shutdown)
#define SSL_version ROTA_OPENSSL(SSL_version)
#define SSL_write_ex ROTA_OPENSSL(SSL_write_ex)
#define TLS_client_method ROTA_OPENSSL(TLS_client_method)
#define TLS_server_method ROTA_OPENSSL(TLS_server_method)
#define X509_NAME_print_ex ROTA_OPENSSL(X509_NAME_print_ex)
#define X509_STORE_CTX_get_current_cert ROTA_OPENSSL(X509_STORE_CTX_get_current_cert)
#define X509_STORE_CTX_get_error ROTA_OPENSSL(X509_STORE_CTX_get_error)
#define X509_STORE_CTX_get_error_depth ROTA_OPENSSL(X509_STORE_CTX_get_error_depth)
#define X509_STORE_CTX_get_ex_data ROTA_OPENSSL(X509_STORE_CTX_get_ex_data)
#define X509_VERIFY_PARAM_set1_ip_asc ROTA_OPENSSL(X509_VERIFY_PARAM_set1_ip_asc)
#define X509_cmp_time ROTA_OPENSSL(X509_cmp_time)
#define X509_get0_notAfter ROTA_OPENSSL(X509_get0_notAfter)
#define X509_get0_notBefore ROTA_OPENSSL(X509_get0_notBefore)
#define X509_get_ext_d2i ROTA_OPENSSL(X509_get_ext_d2i)
#define X509_get_issuer_name ROTA_OPENSSL(X509_get_issuer_name)
#define X509_get_subject_name ROTA_OPENSSL(X509_get_subject_name)
#define X509_verify_cert_error_string ROTA_OPENSSL(X509_verify_cert_error_string)
#endif

#endif
